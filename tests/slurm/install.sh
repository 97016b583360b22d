#!/bin/bash
# Installs Debian's SLURM and what the lab's network needs, where that is possible; says what it could not do.
set -u
PACKAGES="slurmctld slurmd slurm-client munge iproute2 util-linux"  # few: slurm-wlm pulls five times as many

if command -v slurmctld slurmd sbatch munged ip nsenter >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ]; then echo "SLURM is not installed, and only root can install it"; exit 0; fi
if ! command -v apt-get >/dev/null; then echo "SLURM is not installed, and this is no Debian"; exit 0; fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -qq --no-install-recommends $PACKAGES >/dev/null; }
install 2>/dev/null || { apt-get update -qq && install; } || echo "apt-get cannot install $PACKAGES"
exit 0
