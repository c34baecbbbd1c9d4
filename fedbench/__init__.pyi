"""The public names and where they live; each module is imported when one of its names is used."""

from .aggregators import (
    CoordinateMedian as CoordinateMedian,
    GeometricMedian as GeometricMedian,
    Krum as Krum,
    Mean as Mean,
    MultiKrum as MultiKrum,
    TrimmedMean as TrimmedMean,
)
from .attacks import (
    GaussianUpdate as GaussianUpdate,
    LabelFlip as LabelFlip,
    NoAttack as NoAttack,
    SignFlip as SignFlip,
)
from .audit import (
    GradientInversion as GradientInversion,
    MembershipInference as MembershipInference,
    gradient_inversion as gradient_inversion,
    membership_inference as membership_inference,
)
from .channel.privacy import (
    AdaptiveClipping as AdaptiveClipping,
    ClientLevelDP as ClientLevelDP,
    ExampleLevelDP as ExampleLevelDP,
    FlatClipping as FlatClipping,
    LocalGaussian as LocalGaussian,
    LocalLaplace as LocalLaplace,
    NoPrivacy as NoPrivacy,
    PerLayerClipping as PerLayerClipping,
)
from .data import (
    AI4I2020 as AI4I2020,
    CMAPSS as CMAPSS,
    IID as IID,
    MNIST as MNIST,
    TCGABRCA as TCGABRCA,
    AdultIncome as AdultIncome,
    Arriving as Arriving,
    Banks as Banks,
    BeijingAir as BeijingAir,
    BikeSharing as BikeSharing,
    BreastCancer as BreastCancer,
    ByTime as ByTime,
    CityLoad as CityLoad,
    CreditDefault as CreditDefault,
    Diabetes130 as Diabetes130,
    DiabetesProgression as DiabetesProgression,
    Digits as Digits,
    Dirichlet as Dirichlet,
    Explicit as Explicit,
    FashionMNIST as FashionMNIST,
    FeatureNoise as FeatureNoise,
    Fleet as Fleet,
    GEFCom2012 as GEFCom2012,
    GermanCredit as GermanCredit,
    GivenSizes as GivenSizes,
    GroupedNatural as GroupedNatural,
    HeartDisease as HeartDisease,
    Hospitals as Hospitals,
    InnerDirichlet as InnerDirichlet,
    LabelNoise as LabelNoise,
    LabelPermutation as LabelPermutation,
    LosLoop as LosLoop,
    MissingFeatures as MissingFeatures,
    MovieLens100K as MovieLens100K,
    Natural as Natural,
    Pathological as Pathological,
    Payments as Payments,
    PJMLoad as PJMLoad,
    Population as Population,
    Ratings as Ratings,
    Reviews as Reviews,
    Rotation as Rotation,
    Scaling as Scaling,
    SentimentSentences as SentimentSentences,
    Shards as Shards,
    Shift as Shift,
    Sizes as Sizes,
    Table as Table,
    TableError as TableError,
    TinyShakespeare as TinyShakespeare,
    Traffic as Traffic,
    Wine as Wine,
)
from .devices import (
    Always as Always,
    Bernoulli as Bernoulli,
    Devices as Devices,
    Diurnal as Diurnal,
    LogNormal as LogNormal,
    Trace as Trace,
)
from .engine import (
    LoopEngine as LoopEngine,
    StackedEngine as StackedEngine,
)
from .experiment import (
    Experiment as Experiment,
    Target as Target,
)
from .models import (
    CNN as CNN,
    GRU as GRU,
    MLP as MLP,
    Linear as Linear,
    MatrixFactorisation as MatrixFactorisation,
    TextClassifier as TextClassifier,
)
from .reporting import (
    report as report,
)
from .runs import (
    History as History,
    Session as Session,
    run as run,
)
from .runs.store import (
    load as load,
    resume as resume,
    save as save,
)
from .sampling import (
    Everyone as Everyone,
    FixedCohort as FixedCohort,
    Poisson as Poisson,
    Shuffled as Shuffled,
)
from .strategies import (
    Ditto as Ditto,
    FedAdagrad as FedAdagrad,
    FedAdam as FedAdam,
    FedAvg as FedAvg,
    FedAvgM as FedAvgM,
    FedDyn as FedDyn,
    FedNova as FedNova,
    FedPer as FedPer,
    FedProx as FedProx,
    FedSGD as FedSGD,
    FedYogi as FedYogi,
    FineTuning as FineTuning,
    Scaffold as Scaffold,
)
from .study import (
    Baselines as Baselines,
    Forecast as Forecast,
    Frontier as Frontier,
    Gains as Gains,
    PrivacyPlan as PrivacyPlan,
    Sweep as Sweep,
    SweepError as SweepError,
    baselines as baselines,
    forecast as forecast,
    oracle as oracle,
    plan as plan,
    sweep as sweep,
    who_gains as who_gains,
)
from .training import (
    LocalTraining as LocalTraining,
)

__version__: str
