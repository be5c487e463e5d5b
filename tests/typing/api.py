"""The public API in use. Never run: the type checker reads it, so that a change of types is seen."""

import onepoller  # noqa: F401  # the API comes; until then the name alone must resolve
