"""ACME's SIS as a destination of Tardy Write-Back."""
