"""Kubernetes objects that a stack owns, and patches of those that it doesn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.plugins.changes import Change, Difference, compare, refreshed, under
from local.plugins.kubernetes import annotations as notes
from local.plugins.kubernetes import applying, waiting
from local.plugins.kubernetes import inputs as given
from local.plugins.kubernetes.cluster import ApiError, Place
from local.plugins.kubernetes.kinds import NAME
from local.plugins.resource import PartialError, PluginError, Resource, State
from local.plugins.wire import has_unknown

if TYPE_CHECKING:
    from local.plugins.kubernetes.cluster import Cluster, Object
    from local.plugins.kubernetes.kinds import Kind
    from local.plugins.resource import Checked, Naming, Operation, Values

MANAGER = "__fieldManager"
# Written with every write of anybody's; in the outputs they would only be drift.
_RESTLESS = ("managedFields", "resourceVersion")


class OwnedObject(Resource):
    """An object that the stack makes and removes."""

    def __init__(self, cluster: Cluster, kind: Kind) -> None:
        self.cluster = cluster
        self.kind = kind
        self.fixed = kind.replaces
        self.secret = ("data", "stringData") if kind.name == "Secret" else ()
        # What the engine asked about before: in a preview of a replacement it is still there.
        self._ours: set[str] = set()

    def check(self, inputs: Values, old_inputs: Values, naming: Naming) -> Checked:
        return given.checked(self.kind, inputs, old_inputs, naming, self._namespace)

    def _namespace(self) -> str:
        return self.cluster.namespace

    def diff(self, old_inputs: Values, old_outputs: Values, inputs: Values) -> Difference:
        changes = compare(old_inputs, inputs)
        replaces = {path for path in changes if under(path, self.fixed)}
        if self.kind.name == "Job" and self._is_unready(inputs):
            path = ("metadata", "annotations", notes.REPLACE_UNREADY)
            changes[path] = Change.UPDATED
            replaces.add(path)
        first = self._in_the_way(old_inputs, inputs)
        self._ours.add(self._place(old_inputs).id)
        return Difference(changes, frozenset(replaces), first)

    def _is_unready(self, inputs: Values) -> bool:
        """Whether the program wants an object replaced that is not ready, and it isn't."""
        wanted = notes.is_set(inputs, notes.REPLACE_UNREADY)
        if not wanted or has_unknown(given.place_of(inputs)):
            return False
        place = self._place(inputs)
        live = self.cluster.get(place)
        needed = waiting.requirements(self.cluster, place, inputs)
        return live is not None and bool(waiting.lacking(live, needed))

    def _in_the_way(self, old_inputs: Values, inputs: Values) -> bool:
        """Whether the old object has the very place that the new one needs."""
        if notes.is_set(inputs, notes.AUTONAMED) or has_unknown(given.place_of(inputs)):
            return False
        return given.place_of(old_inputs) == given.place_of(inputs)

    def create(self, operation: Operation, inputs: Values) -> State:
        if operation.preview:
            return State("", self._previewed_create(inputs))
        place = self._place(inputs)
        if self.cluster.get(place) is not None:
            raise PluginError(self._taken(place))
        return self._applied(operation, place, inputs)

    def _previewed_create(self, inputs: Values) -> Values:
        if not has_unknown(inputs):
            inputs = self._dry_run(inputs)
        return given.not_yet(inputs)

    def _dry_run(self, inputs: Values) -> Values:
        """What the server would make of the inputs; they themselves where it can't tell yet."""
        place, manager = self._place(inputs), applying.manager_of(inputs)
        if place.namespace in self.cluster.absent_namespaces:
            return inputs
        try:
            made = self.cluster.dry_create(place, given.body(self.kind, inputs), manager)
        except ApiError as error:
            if error.reason == "AlreadyExists" and place.id in self._ours:
                return inputs
            if error.reason == "AlreadyExists":
                raise PluginError(self._taken(place)) from error
            if error.status == 404 and f'namespaces "{place.namespace}" not found' in str(error):
                # The namespace will be made by this very deployment, or creating it will fail.
                # The server thinks for 50 ms about each object whose namespace it doesn't know.
                self.cluster.absent_namespaces.add(place.namespace)
                return inputs
            raise
        return self._outputs(made, inputs, manager)

    def _taken(self, place: Place) -> str:
        return (
            f"{place} exists already and is not this stack's: import it, delete it, or choose "
            "another name"
        )

    def read(self, identifier: str, inputs: Values, outputs: Values) -> State | None:
        place = given.parse_id(self.kind, identifier, self._namespace)
        live = self.cluster.get(place)
        if live is None:
            return None
        if not inputs:
            # With outputs it is a refresh of what the program only reads: nothing is its own.
            found = {} if outputs else given.from_live(self.kind, live)
            return State(place.id, self._outputs(live, found, outputs.get(MANAGER, "")), found)
        now = self._outputs(live, inputs, outputs.get(MANAGER, ""))
        drifted = refreshed(inputs, outputs, now)
        if reasons := waiting.lacking(live, waiting.requirements(self.cluster, place, inputs)):
            raise PartialError(place.id, now, reasons, drifted)
        return State(place.id, now, drifted)

    def update(self, operation: Operation, state: State, inputs: Values) -> Values:
        former, place = state.outputs.get(MANAGER, ""), self._place(inputs)
        if not operation.preview:
            return self._applied(operation, place, inputs, former).outputs
        if has_unknown(inputs):
            return {**state.outputs, **inputs}
        live, manager = applying.apply(self.cluster, place, inputs, former, dry=True)
        return self._outputs(live, inputs, manager)

    def delete(self, operation: Operation, state: State) -> None:
        place = given.parse_id(self.kind, state.id, self._namespace)
        propagation = notes.annotation(state.inputs, notes.PROPAGATION).capitalize()
        self.cluster.delete(
            place, propagation or ("Foreground" if self.kind.owner else "Background")
        )
        waiting.until_gone(operation, self.cluster, place, waiting.seconds(operation, state.inputs))

    def _place(self, inputs: Values) -> Place:
        namespace, name = given.place_of(inputs)
        return Place(self.kind, namespace, name)

    def _applied(
        self, operation: Operation, place: Place, inputs: Values, former: str = ""
    ) -> State:
        needed = waiting.requirements(self.cluster, place, inputs)
        live, manager = applying.apply(self.cluster, place, inputs, former)
        limit = waiting.seconds(operation, inputs)
        live, reasons = waiting.until_ready(
            operation, lambda: self.cluster.get(place), live, needed, limit
        )
        outputs = self._outputs(live, inputs, manager)
        if reasons:
            raise PartialError(place.id, outputs, [f"{place}: {text}" for text in reasons])
        return State(place.id, outputs)

    def _outputs(self, live: Object, inputs: Values, manager: str) -> Values:
        metadata = {key: value for key, value in live["metadata"].items() if key not in _RESTLESS}
        outputs = {**live, "metadata": metadata, "__initialApiVersion": self.kind.api_version}
        if manager:
            outputs[MANAGER] = manager
        return given.with_string_data(outputs, inputs)


class PatchedObject(OwnedObject):
    """Fields of an object that somebody else owns. It is made if it isn't there, never removed."""

    def __init__(self, cluster: Cluster, kind: Kind) -> None:
        super().__init__(cluster, kind)
        self.fixed = NAME

    def check(self, inputs: Values, old_inputs: Values, naming: Naming) -> Checked:
        checked = super().check(inputs, old_inputs, naming)
        if "name" not in notes.metadata(inputs):
            checked.failures["metadata.name"] = f"a {self.kind.name}Patch needs the object's name"
        return checked

    def create(self, operation: Operation, inputs: Values) -> State:
        if operation.preview:
            # As the official plugin: a patch that is new is not tried out.
            return State("", given.not_yet(inputs))
        return self._applied(operation, self._place(inputs), inputs)

    def delete(self, operation: Operation, state: State) -> None:
        place = given.parse_id(self.kind, state.id, self._namespace)
        manager = state.outputs.get(MANAGER)
        if manager and self.cluster.get(place) is not None:
            applying.relinquish(self.cluster, place, manager)
