"""Pure kernels, Arrow in, Arrow out, valid for any set of whole vehicles: compact, clean, segment, stitch. No I/O."""
