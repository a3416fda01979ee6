"""A training run, in a process of its own: JOB.json in, model files and a result out."""

import os

# Read by libgomp and OpenBLAS when they load. Waiting threads must not spin on busy cores; sums
# over another number of BLAS threads would differ in the last bit.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
