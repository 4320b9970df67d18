"""The API of an Ed-Fi operational data store, Data Standard 3.3 to 6.0."""
