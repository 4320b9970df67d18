"""What an export definition is: its document, its rules, its columns, its schedule, its file name."""
