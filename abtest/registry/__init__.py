"""MLflow's Model Registry: resolve, list, register, transition, alias, tag, delete; one move at a time.

Every look-up pins what a user typed to a version number, once. Nothing here creates a registry: a database that is not
there, or holds no registry, is an error, because the user meant another one. Nothing here keeps a record of what moves:
see ``abtest.mover``.
"""

from abtest.registry.client import RegistryClient
from abtest.registry.references import (
    LATEST,
    STAGES,
    Reference,
    ReferenceKind,
    is_version,
    run_id_of,
    stage_name,
)
from abtest.registry.versions import ModelOverview, ModelVersion, VersionDetails, inventory

__all__ = [
    "LATEST",
    "STAGES",
    "ModelOverview",
    "ModelVersion",
    "Reference",
    "ReferenceKind",
    "RegistryClient",
    "VersionDetails",
    "inventory",
    "is_version",
    "run_id_of",
    "stage_name",
]
