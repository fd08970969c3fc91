"""The database: engine, transactions, tables and jobs. The lowest room but settings."""
