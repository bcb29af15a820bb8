"""The built-in activations: the bend in each unit, and its slope for the way back."""
