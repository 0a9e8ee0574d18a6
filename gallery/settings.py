"""Settings of the gallery: its location, index, maintenance and resources."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from project.environment import EnvironmentSettings
from project.root import ROOT


class GalleryArgs(EnvironmentSettings):
    """Storage, index and maintenance of the gallery. Each variable begins with ``GALLERY_``."""

    # An empty location would resolve to the project's folder.
    model_config = SettingsConfigDict(env_prefix="GALLERY_", env_ignore_empty=True)

    uri: str = Field(
        "data/gallery",
        description="A folder on the head node, relative to the project, or a location in an object store, "
        "e.g. s3://bucket/gallery.",
    )
    storage_options: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="LanceDB's options for the object store. Prefer the store's own variables, because Ray's "
        "dashboard shows the configuration file.",
    )
    exact_mb: int = Field(
        256,
        ge=0,
        description="Memory per node for exact search, in MiB. A face takes one byte per number of its embedding, plus "
        "four bytes. Larger collections are searched with an index.",
    )
    index_mb: int = Field(
        512,
        gt=0,
        description="Memory per reader for the indexes of larger collections, in MiB. Each search reads what does not "
        "fit from the disk.",
    )
    index_rows: int = Field(
        120_000,
        gt=0,
        description="A collection that does not fit in exact_mb gets an index once it has this number of faces.",
    )
    optimise_s: float = Field(
        20,
        gt=0,
        description="Seconds between optimisations, which merge small files and update indexes.",
    )
    clean_s: float = Field(
        3600, gt=0, description="Seconds between clean-ups, which erase deleted data and ClientRequestTokens."
    )
    writer_cpus: float = Field(0.1, gt=0, description="CPUs of the writer.")
    reader_cpus: float = Field(0.1, gt=0, description="CPUs per reader.")
    reader_threads: int = Field(2, ge=1, description="Threads per exact search.")

    @field_validator("uri")
    @classmethod
    def _below_the_project(cls, uri: str) -> str:
        if not uri.strip() or "\0" in uri:
            raise ValueError("uri must not be empty or contain a null byte")
        if "://" in uri and urlsplit(uri).password is not None:
            # LanceDB's errors quote the location, and they are logged.
            raise ValueError("uri must not contain a password: put credentials into the object store's own variables")
        return uri if "://" in uri else str(ROOT / uri)
