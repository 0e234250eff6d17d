"""gendeg doctor: what is here, what is off, and what helps. It imports nothing that might itself be what is broken."""
