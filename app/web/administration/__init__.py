"""The administrator's pages: people, systems and settings of one's own organisation."""
