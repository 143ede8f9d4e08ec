"""One adapter a file for each library measured, so that the measurements do not know whom they measure."""
