"""The public names and where they live; each module is imported when one of its names is used."""

from .aggregators import (
    Aggregator as Aggregator,
    CoordinateMedian as CoordinateMedian,
    GeometricMedian as GeometricMedian,
    Krum as Krum,
    Mean as Mean,
    MultiKrum as MultiKrum,
    TrimmedMean as TrimmedMean,
)
from .attacks import (
    Attack as Attack,
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
from .channel import (
    Encoded as Encoded,
    Stage as Stage,
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
    Card as Card,
    CityLoad as CityLoad,
    Column as Column,
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
    GivenSplit as GivenSplit,
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
    Partitioner as Partitioner,
    Pathological as Pathological,
    Payments as Payments,
    PJMLoad as PJMLoad,
    Population as Population,
    RandomSplit as RandomSplit,
    Ratings as Ratings,
    Raw as Raw,
    Reviews as Reviews,
    Rotation as Rotation,
    Scaling as Scaling,
    SentimentSentences as SentimentSentences,
    Shards as Shards,
    Shift as Shift,
    Sizes as Sizes,
    Skew as Skew,
    Source as Source,
    Split as Split,
    Table as Table,
    TableError as TableError,
    TimeSplit as TimeSplit,
    TinyShakespeare as TinyShakespeare,
    Traffic as Traffic,
    Wine as Wine,
)
from .engine import (
    Engine as Engine,
    LoopEngine as LoopEngine,
    StackedEngine as StackedEngine,
)
from .experiment import (
    Experiment as Experiment,
    Target as Target,
)
from .metrics import (
    RoundRecord as RoundRecord,
)
from .models import (
    CNN as CNN,
    GRU as GRU,
    MLP as MLP,
    Linear as Linear,
    MatrixFactorisation as MatrixFactorisation,
    Model as Model,
    TextClassifier as TextClassifier,
)
from .participation import (
    Always as Always,
    Availability as Availability,
    Bernoulli as Bernoulli,
    Devices as Devices,
    Diurnal as Diurnal,
    Everyone as Everyone,
    FixedCohort as FixedCohort,
    LogNormal as LogNormal,
    Poisson as Poisson,
    Sampling as Sampling,
    Shuffled as Shuffled,
    Trace as Trace,
)
from .privacy import (
    AdaptiveClipping as AdaptiveClipping,
    ClientLevelDP as ClientLevelDP,
    Clip as Clip,
    ExampleLevelDP as ExampleLevelDP,
    FlatClipping as FlatClipping,
    LocalGaussian as LocalGaussian,
    LocalLaplace as LocalLaplace,
    NoPrivacy as NoPrivacy,
    PerLayerClipping as PerLayerClipping,
    Privacy as Privacy,
)
from .reporting import (
    report as report,
)
from .runs import (
    Amended as Amended,
    Cautioned as Cautioned,
    Failed as Failed,
    History as History,
    Session as Session,
    SessionError as SessionError,
    StateChanged as StateChanged,
    run as run,
)
from .runs.script import (
    RunFailed as RunFailed,
)
from .runs.store import (
    StoreError as StoreError,
    load as load,
    resume as resume,
    save as save,
)
from .schedules import (
    Cyclic as Cyclic,
    Schedule as Schedule,
    Synchronous as Synchronous,
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
    RoundInfo as RoundInfo,
    Scaffold as Scaffold,
    Strategy as Strategy,
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
