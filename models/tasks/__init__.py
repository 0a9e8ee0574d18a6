"""The tasks of the catalogue's networks, one module each.

A task says what its cards state in ``[output]`` and how the raw outputs of its networks become answers. A card names
its task. A network that reads crops of faces has a `FaceTask`; a detector reads whole photos.
"""

from collections.abc import Mapping
from typing import Any

from models.tasks.embedder import EMBEDDER
from models.tasks.eyes import EYES
from models.tasks.liveness import LIVENESS
from models.tasks.pose import POSE
from models.tasks.task import FaceTask

DETECTOR = "detector"
"""The task of finding faces in photos."""

FACE_TASKS: Mapping[str, FaceTask[Any]] = {task.name: task for task in (LIVENESS, EMBEDDER, POSE, EYES)}
"""Every other task by its name."""
