def bad_files():
    return []
