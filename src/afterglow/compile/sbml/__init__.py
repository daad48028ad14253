"""SBML, the Systems Biology Markup Language: programs written for other simulators, and models of others read."""

from afterglow.compile.sbml.notes import About as About
from afterglow.compile.sbml.notes import Note as Note
from afterglow.compile.sbml.writer import Change as Change
from afterglow.compile.sbml.writer import identifier as identifier
from afterglow.compile.sbml.writer import sbml as sbml
