"""What is asked for: plugins and settings, from a composed config to objects ready to train."""
