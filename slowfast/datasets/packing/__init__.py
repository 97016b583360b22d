"""Making data ready: videos packed as pictures in HDF5 files, or re-encoded smaller; in parallel, resumable."""
