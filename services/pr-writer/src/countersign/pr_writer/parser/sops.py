"""Files whose values SOPS signed: changed, Flux could not decrypt them any more."""

from typing import Final

import yaml

KEY: Final = b"sops"
_KEY: Final = KEY.decode()
ENCRYPTED: Final = "ENC[AES256_GCM,"


def is_sealed(text: str) -> bool:
    """Tell whether a message authentication code covers also what is not encrypted.

    Source: https://getsops.io/docs/#message-authentication-code

    Raises:
        yaml.YAMLError: it is no YAML.

    """
    for document in yaml.compose_all(text, Loader=yaml.CSafeLoader):
        if not isinstance(document, yaml.MappingNode):
            continue
        for key, value in document.value:
            if key.value == _KEY and isinstance(value, yaml.MappingNode):
                told = {name.value: given.value for name, given in value.value}
                if told.get("mac") and told.get("mac_only_encrypted") != "true":
                    return True
    return False
