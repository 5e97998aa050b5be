"""A process that does nothing but accept connections and answer scrapes from bytes that it is handed."""
