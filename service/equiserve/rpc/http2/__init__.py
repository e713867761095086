"""gRPC over an HTTP/2 of our own: `grpc.aio`, with no handler behind it, costs more than a small request may."""
