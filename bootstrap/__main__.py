"""An environment, once: APIs, state, releases and images, trust in GitHub, accounts."""

import sys
from pathlib import Path

# BootstrapSettings use the types and messages of infra.config, in the folder above.
sys.path.insert(0, str(Path(__file__).parents[1]))

import pulumi

from bootstrap import permissions
from bootstrap.account import Account, AccountArgs
from bootstrap.artefacts import Artefacts, ArtefactsArgs
from bootstrap.federation import Federation, FederationArgs
from bootstrap.models_key import ModelsKey, ModelsKeyArgs
from bootstrap.services import Services, ServicesArgs
from bootstrap.settings import load
from bootstrap.state import State, StateArgs

settings, environment = load(), pulumi.get_stack()
services = Services("services", ServicesArgs(settings.project))
ready = pulumi.ResourceOptions(depends_on=services.enabled)
state = State("state", StateArgs(settings.project, settings.location), ready)
artefacts = Artefacts("artefacts", ArtefactsArgs(settings), ready)
federation = Federation("github", FederationArgs(settings, environment), ready)
models_key = ModelsKey("models-key", ModelsKeyArgs(settings, services.enabled), ready)
accounts = {
    name: Account(name, AccountArgs(settings, allowed, federation, state, artefacts), ready)
    for name, allowed in permissions.for_environment(environment).items()
}

for name, account in accounts.items():
    pulumi.export(name, account.settings)
pulumi.export("artefacts", artefacts.url)
pulumi.export("state", state.url)
pulumi.export("secretsProvider", state.secrets_provider)
pulumi.export("projectNumber", federation.project_number)
