"""`equiserve check`: an equivariance check from the command line, of a server's model or of a model file."""
