"""SLURM: what is asked of it for a run or a sweep, and what it says of jobs; the jobs' own part is train.sbatch."""
