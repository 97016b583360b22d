"""Projects: self-contained packages that PROJECTS plugs into the trainer; the core never imports them by itself."""
