"""Owns: the tables, and the shapes in which requests and answers carry their rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Dialect, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Base(DeclarativeBase):
    pass


class Money(TypeDecorator[Decimal]):
    """A Decimal as text: SQLite has no exact number of its own."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class City(Base):
    __tablename__ = "cities"

    id: Mapped[int] = mapped_column(primary_key=True)  # GeoNames' own number
    name: Mapped[str]
    country: Mapped[str] = mapped_column(index=True)  # two letters: NL, JP
    population: Mapped[int] = mapped_column(index=True)
    latitude: Mapped[float]
    longitude: Mapped[float]
    timezone: Mapped[str]


class User(Base):
    __tablename__ = "users"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    joined: Mapped[datetime]
    balance: Mapped[Decimal] = mapped_column(Money)


Letters = Annotated[str, Field(pattern="^[A-Z]{2}$", examples=["NL"])]


class CityOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    country: str
    population: int
    latitude: float
    longitude: float
    timezone: str


class CityNew(BaseModel):
    name: str
    country: Letters
    population: int = Field(ge=0)
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    timezone: str = "UTC"


class CityChange(BaseModel):
    """What is to change; what is left out stays."""

    name: str | None = None
    population: int | None = Field(default=None, ge=0)


class CountryOut(BaseModel):
    country: str
    cities: int
    population: int
    largest: str


class UserOut(BaseModel):
    id: str
    name: str
    email: str
    joined: datetime
    balance: Decimal


class UserCreate(BaseModel):
    name: str
    email: str
    balance: Decimal = Decimal("0.00")


class UserUpdate(BaseModel):
    name: str | None = None
    email: str | None = None
    balance: Decimal | None = None
