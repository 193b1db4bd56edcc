"""An answer that is an error."""


class Fault(Exception):
    def __init__(self, code, message, data=None, status=200):
        super().__init__(message)
        self.error = {"code": code, "message": message, **({} if data is None else {"data": data})}
        self.status = status


def needs(capabilities):
    return Fault(-32021, "The client must declare a capability for this", {"requiredCapabilities": capabilities}, 400)
