"""What `make proto` generates from the .proto files. Not edited by hand."""
