"""fedbench: federated learning under privacy, explored live."""

import lazy_loader

__version__ = "0.1.0"

# The public names stand in the stub beside this file, and load on first use: `import fedbench`
# costs next to nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
