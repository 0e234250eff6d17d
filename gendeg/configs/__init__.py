"""Every knob of every job: frozen dataclasses and presets, without torch; a file for each kind of job."""

from gendeg.configs.measuring import CalibrateConfig, EvaluateConfig, GapConfig
from gendeg.configs.pairs import CaptionConfig, CurateConfig, ImportPriorsConfig, IngestConfig, SimulateConfig
from gendeg.configs.restoring import (
    RestoreApplyConfig,
    RestoreEvalConfig,
    RestoreTrainConfig,
    StudyConfig,
    TaskConfig,
    TransferConfig,
)
from gendeg.configs.sampling import BuildConfig, PlanConfig, ReportConfig, SynthConfig
from gendeg.configs.training import (
    AutoencoderConfig,
    BundleConfig,
    ConvertConfig,
    DiffusionConfig,
    ExportConfig,
    FreshConfig,
    StructureConfig,
    TrainConfig,
)

__all__ = [
    "AutoencoderConfig",
    "BuildConfig",
    "BundleConfig",
    "CalibrateConfig",
    "CaptionConfig",
    "ConvertConfig",
    "CurateConfig",
    "DiffusionConfig",
    "EvaluateConfig",
    "ExportConfig",
    "FreshConfig",
    "GapConfig",
    "ImportPriorsConfig",
    "IngestConfig",
    "PlanConfig",
    "ReportConfig",
    "RestoreApplyConfig",
    "RestoreEvalConfig",
    "RestoreTrainConfig",
    "SimulateConfig",
    "StructureConfig",
    "StudyConfig",
    "SynthConfig",
    "TaskConfig",
    "TrainConfig",
    "TransferConfig",
]
