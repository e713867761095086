"""The REST edge: decodes, calls the data plane, encodes, maps errors."""
