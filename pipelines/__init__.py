"""One file, one Beam job; each builds from its sources and sinks."""
