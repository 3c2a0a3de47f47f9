"""French electricity and gas: open data in, tables and marts out, batch and live."""
