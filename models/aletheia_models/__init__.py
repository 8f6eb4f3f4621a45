"""The built-in back-ends and cards, registered through the same door as a stranger's."""
