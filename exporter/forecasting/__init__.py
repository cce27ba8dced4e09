"""What a file will take on devices that are not here."""
