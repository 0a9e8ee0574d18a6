"""The tasks of networks, one module each.

A task defines the ``[output]`` section of its cards, and converts raw outputs of a network to answers. Networks that
read crops of faces have a `FaceTask`; detectors read whole photos.
"""

from collections.abc import Mapping
from typing import Any

from models.tasks.embedder import EMBEDDER
from models.tasks.eyes import EYES
from models.tasks.liveness import LIVENESS
from models.tasks.pose import POSE
from models.tasks.task import FaceTask

DETECTOR = "detector"
"""Name of the face detection task."""

FACE_TASKS: Mapping[str, FaceTask[Any]] = {task.name: task for task in (LIVENESS, EMBEDDER, POSE, EYES)}
"""All other tasks by name."""
