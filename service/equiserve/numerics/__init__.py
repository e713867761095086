"""What both training and serving compute without torch."""
