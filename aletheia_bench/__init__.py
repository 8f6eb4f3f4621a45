"""The harness: corpus → train → evaluate → score → report."""
