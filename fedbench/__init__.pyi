"""The public names and where they live; each module is imported when one of its names is used."""

from .aggregators import (
    CoordinateMedian as CoordinateMedian,
)
from .aggregators import (
    GeometricMedian as GeometricMedian,
)
from .aggregators import (
    Krum as Krum,
)
from .aggregators import (
    Mean as Mean,
)
from .aggregators import (
    MultiKrum as MultiKrum,
)
from .aggregators import (
    TrimmedMean as TrimmedMean,
)
from .attacks import (
    GaussianUpdate as GaussianUpdate,
)
from .attacks import (
    LabelFlip as LabelFlip,
)
from .attacks import (
    NoAttack as NoAttack,
)
from .attacks import (
    SignFlip as SignFlip,
)
from .channel.privacy import (
    ClientLevelDP as ClientLevelDP,
)
from .channel.privacy import (
    ExampleLevelDP as ExampleLevelDP,
)
from .channel.privacy import (
    NoPrivacy as NoPrivacy,
)
from .data import (
    IID as IID,
)
from .data import (
    MNIST as MNIST,
)
from .data import (
    TCGABRCA as TCGABRCA,
)
from .data import (
    BreastCancer as BreastCancer,
)
from .data import (
    ByTime as ByTime,
)
from .data import (
    CreditDefault as CreditDefault,
)
from .data import (
    DiabetesProgression as DiabetesProgression,
)
from .data import (
    Digits as Digits,
)
from .data import (
    Dirichlet as Dirichlet,
)
from .data import (
    Explicit as Explicit,
)
from .data import (
    FashionMNIST as FashionMNIST,
)
from .data import (
    FeatureNoise as FeatureNoise,
)
from .data import (
    GermanCredit as GermanCredit,
)
from .data import (
    GivenSizes as GivenSizes,
)
from .data import (
    GroupedNatural as GroupedNatural,
)
from .data import (
    HeartDisease as HeartDisease,
)
from .data import (
    InnerDirichlet as InnerDirichlet,
)
from .data import (
    LabelNoise as LabelNoise,
)
from .data import (
    LabelPermutation as LabelPermutation,
)
from .data import (
    MissingFeatures as MissingFeatures,
)
from .data import (
    Natural as Natural,
)
from .data import (
    Pathological as Pathological,
)
from .data import (
    Population as Population,
)
from .data import (
    Rotation as Rotation,
)
from .data import (
    Scaling as Scaling,
)
from .data import (
    Shards as Shards,
)
from .data import (
    Shift as Shift,
)
from .data import (
    Sizes as Sizes,
)
from .data import (
    Wine as Wine,
)
from .engine import (
    LoopEngine as LoopEngine,
)
from .engine import (
    StackedEngine as StackedEngine,
)
from .experiment import (
    Experiment as Experiment,
)
from .experiment import (
    Target as Target,
)
from .models import (
    CNN as CNN,
)
from .models import (
    GRU as GRU,
)
from .models import (
    MLP as MLP,
)
from .models import (
    Linear as Linear,
)
from .models import (
    MatrixFactorisation as MatrixFactorisation,
)
from .models import (
    TextClassifier as TextClassifier,
)
from .runs import (
    History as History,
)
from .runs import (
    Session as Session,
)
from .runs import (
    run as run,
)
from .sampling import (
    Everyone as Everyone,
)
from .sampling import (
    FixedCohort as FixedCohort,
)
from .sampling import (
    Poisson as Poisson,
)
from .strategies import (
    Ditto as Ditto,
)
from .strategies import (
    FedAdagrad as FedAdagrad,
)
from .strategies import (
    FedAdam as FedAdam,
)
from .strategies import (
    FedAvg as FedAvg,
)
from .strategies import (
    FedAvgM as FedAvgM,
)
from .strategies import (
    FedDyn as FedDyn,
)
from .strategies import (
    FedNova as FedNova,
)
from .strategies import (
    FedPer as FedPer,
)
from .strategies import (
    FedProx as FedProx,
)
from .strategies import (
    FedSGD as FedSGD,
)
from .strategies import (
    FedYogi as FedYogi,
)
from .strategies import (
    FineTuning as FineTuning,
)
from .strategies import (
    Scaffold as Scaffold,
)
from .study import Baselines as Baselines
from .study import baselines as baselines
from .training import (
    LocalTraining as LocalTraining,
)

__version__: str
