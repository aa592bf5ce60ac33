import 'core-js/stable/url';
import 'core-js/stable/url-search-params';
