"""Configuration: parts and their fields, files, changes as text, and errors in words."""
