"""The commands of ``python -m coopselectors``, each in a file of its own."""
