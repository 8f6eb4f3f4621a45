"""The built-in tasks, registered through the same door as a stranger's."""
