"""gendeg: clean photos → degraded ones, with a latent diffusion model told which degradation and how strong."""

__version__ = "0.1.0"
