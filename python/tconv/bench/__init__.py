"""The benchmark behind `tconv bench`: tconv beside the libraries that are installed, taking turns.

Every contestant is a process of its own, with the same number of threads, that is stopped while another has its turn.
"""
