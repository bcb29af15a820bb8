"""The built-in figures; none imports matplotlib: each draws on the Figure it is given."""
