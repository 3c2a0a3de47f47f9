"""Which Tesla fields are streamed, in which member, how often: data.

Names, members and units as in Tesla's fleet-telemetry (`vehicle_data.proto`, decoded records); the choice of fields and
intervals follows TeslaLogger's guide, thinned so that a vehicle's day is one to two thousand messages.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Intervals:
    """Shortest times between two samples, s. Slow fields keep the multiple of it that `FIELDS` gives."""

    drive_seconds: int = 5
    charge_seconds: int = 10
    idle_seconds: int = 60

    def __post_init__(self) -> None:
        """Reject what the 500 ms buckets cannot hold."""
        if min(self.drive_seconds, self.charge_seconds, self.idle_seconds) < 2:
            raise ValueError("intervals below 2 s are not simulated")


@dataclass(frozen=True)
class Field:
    """One streamed field.

    `seconds` are the intervals while driving, charging, standing (0 = as fast as samples come); `slot` is the 500 ms
    bucket inside a sample that it travels in; `resend` sends it every 300 s even when unchanged.
    """

    name: str
    member: str
    seconds: tuple[int, int, int]
    slot: int
    resend: bool = False


MODES = {"drive": 0, "charge": 1, "idle": 2}
RESEND_SECONDS = 300
FAST, SLOW, STATE = 1, 2, 0
"""Slots: changes of state are noticed first, then measurements, then the slow ones."""

_MEASURED: tuple[tuple[str, tuple[int, int, int], int], ...] = (
    ("PackVoltage", (0, 0, 0), FAST),
    ("PackCurrent", (0, 0, 0), FAST),
    ("VehicleSpeed", (0, 0, 0), FAST),
    ("ACChargingPower", (0, 0, 0), FAST),
    ("DCChargingPower", (0, 0, 0), FAST),
    ("PedalPosition", (0, 300, 300), FAST),
    ("ChargeAmps", (300, 0, 300), FAST),
    ("Odometer", (30, 300, 300), FAST),
    ("EnergyRemaining", (60, 60, 120), FAST),
    ("BatteryLevel", (60, 60, 300), FAST),
    ("RatedRange", (60, 60, 300), FAST),
    ("EstBatteryRange", (60, 120, 300), FAST),
    ("IdealBatteryRange", (60, 120, 300), FAST),
    ("DCChargingEnergyIn", (300, 30, 300), FAST),
    ("ACChargingEnergyIn", (300, 60, 300), SLOW),
    ("ModuleTempMax", (60, 60, 300), SLOW),
    ("ModuleTempMin", (60, 60, 300), SLOW),
    ("BrickVoltageMax", (60, 60, 300), SLOW),
    ("BrickVoltageMin", (60, 60, 300), SLOW),
    ("OutsideTemp", (60, 120, 300), SLOW),
    ("InsideTemp", (60, 300, 300), SLOW),
    ("GpsHeading", (60, 300, 300), SLOW),
    ("ChargerVoltage", (300, 30, 300), FAST),
    ("TimeToFullCharge", (300, 120, 300), SLOW),
    ("LifetimeEnergyUsed", (300, 600, 600), SLOW),
    ("TpmsPressureFl", (600, 900, 900), SLOW),
    ("TpmsPressureRr", (600, 900, 900), SLOW),
)
_STATES: tuple[tuple[str, str], ...] = (
    ("Gear", "shiftStateValue"),
    ("ChargeState", "stringValue"),
    ("BMSState", "bmsStateValue"),
    ("DriveRail", "booleanValue"),
    ("FastChargerPresent", "booleanValue"),
    ("FastChargerType", "fastChargerValue"),
    ("ChargingCableType", "cableTypeValue"),
    ("ChargerPhases", "intValue"),
    ("ChargeLimitSoc", "intValue"),
    ("ChargePortDoorOpen", "booleanValue"),
    ("HvacPower", "hvacPowerValue"),
    ("PreconditioningEnabled", "booleanValue"),
    ("BatteryHeaterOn", "booleanValue"),
    ("NotEnoughPowerToHeat", "booleanValue"),
    ("SentryMode", "sentryModeStateValue"),
    ("ClimateKeeperMode", "climateKeeperModeValue"),
    ("Locked", "booleanValue"),
    ("DoorState", "doorValue"),
    ("LocatedAtHome", "booleanValue"),
    ("NumBrickVoltageMax", "intValue"),
    ("NumBrickVoltageMin", "intValue"),
    ("ScheduledChargingStartTime", "longValue"),
    ("Version", "stringValue"),
    ("CarType", "carTypeValue"),
    ("Trim", "stringValue"),
    ("WheelType", "stringValue"),
)

FIELDS: tuple[Field, ...] = (
    Field("Soc", "doubleValue", (15, 30, 60), FAST, resend=True),
    Field("DetailedChargeState", "detailedChargeStateValue", (0, 0, 0), STATE, resend=True),
    Field("Location", "locationValue", (0, 0, 0), FAST),
    *(Field(name, "doubleValue", seconds, slot) for name, seconds, slot in _MEASURED),
    *(Field(name, member, (0, 0, 0), STATE) for name, member in _STATES),
)

FIELD: dict[str, Field] = {field.name: field for field in FIELDS}
"""The same by name."""

ENUM_PREFIX: dict[str, str] = {
    "detailedChargeStateValue": "DetailedChargeState",
    "shiftStateValue": "ShiftState",
    "bmsStateValue": "BMSState",
    "fastChargerValue": "FastCharger",
    "cableTypeValue": "CableType",
    "hvacPowerValue": "HvacPowerState",
    "sentryModeStateValue": "SentryModeState",
    "climateKeeperModeValue": "ClimateKeeperModeState",
    "carTypeValue": "CarType",
}
"""Decoded enum values carry the name of their enum."""

ALWAYS_TYPED = {"DetailedChargeState", "Location"}
"""Typed also on old firmware: the first is newer than strings, the second is rewritten by Tesla's server."""

DOORS = ("DriverFront", "DriverRear", "PassengerFront", "PassengerRear", "TrunkFront", "TrunkRear")
