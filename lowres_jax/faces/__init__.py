"""Pictures -> faces with templates: found, aligned, enlarged where small, recognized."""
