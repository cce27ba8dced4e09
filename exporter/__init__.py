"""mexport: trained models to phone-ready files, proved equal."""

__version__ = "0.1.0"
