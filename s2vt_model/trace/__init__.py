"""See through it: the record of one decoding, which words came from which frames, and what if. See SCHEMA.md."""

from s2vt_model.trace.attribution import AttributionOptions
from s2vt_model.trace.film import Film, Footage, film_of
from s2vt_model.trace.make import trace
from s2vt_model.trace.record import Trace

__all__ = ["AttributionOptions", "Film", "Footage", "Trace", "film_of", "trace"]
